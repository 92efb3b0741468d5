"""Models that are learned from the answers that pass through: pure, updated by each observation.

What there is, for policies and for the runtime:

- `learned_law.LearnedLaw(profile)`, one per replica: its step law, from a prior and from the token
  times of its streams; `belief` is a snapshot of the law, its overhead and its spread.
- `service.ServiceModel(law, limits)`: seconds from a step law. `ttft_s(state, work)`,
  `e2e_s(state, work)`, `decode_s(state, tokens)`, `token_s(sequences, kv_tokens)`, and
  `stall_s(state, work)`, what a prompt costs every sequence that decodes. `ReplicaState` says what
  the replica has to do, `Work` what the request asks for.
- `lengths.OutputLengths()`, one per model: `quantile(task, prompt_tokens, max_tokens, q, emitted)`
  and `remaining(...)`, from `observe(task, prompt_tokens, max_tokens, emitted, finished=...)`.
- `online.Conformal(coverage)`, one per task and kind of prediction: `bound(predicted_s)`, and
  `observe(predicted_s, bound_s, observed_s)`, which also counts `coverage`.
- `online.CharsPerToken`, `online.LoadAverages`, `workflows.LearnedTimes`.
"""
