"""A model of vLLM's scheduler and KV cache: pure, deterministic, fast enough to simulate fleets.

Two entrances:

- `Engine`: without a clock, step by step; the emulator sleeps through each step's seconds.

      engine = Engine(profile.law, profile.limits)
      engine.submit(Job("a", prompt_tokens=1000, output_tokens=50, block_hashes=hashes))
      while step := engine.begin_step():
          ...                      # step.seconds() pass; engine.emitting(): who gets a token
          end = engine.end_step()  # end.prefilled: first tokens; end.finished

- `Timeline`: the same engine in virtual time, for simulations. Decode-only stretches are one jump
  in closed form, cut at a step boundary when a job arrives or is aborted.

      timeline = Timeline(engine)
      timeline.submit(job, now)            # may be called at any time; so may abort(id, now)
      timeline.next_time                   # when to come back (None: idle); ask again after each
      for passed in timeline.advance(now): # submit and abort, which can only bring it forward
          passed.time, passed.admitted     # cached tokens of those that began to run
          passed.end.prefilled             # ids whose first token came out at passed.time
          passed.end.finished              # ids whose last token did
      timeline.emitted(id, now)            # tokens so far, exact in mid-jump too

The time of a step comes from `StepLaw`. Prefixes are shared by `Job.block_hashes`: one hash for
each whole block of `limits.block_size` tokens, chained: equal hashes mean an equal start.
"""

from cato_backend.engine_model.engine import Engine
from cato_backend.engine_model.jobs import Admission, Job, Order, Step, StepEnd
from cato_backend.engine_model.timeline import Passed, Timeline

__all__ = [
    "Admission",
    "Engine",
    "Job",
    "Order",
    "Passed",
    "Step",
    "StepEnd",
    "Timeline",
]
