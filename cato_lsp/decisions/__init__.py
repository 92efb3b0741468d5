"""Whether, when and what to ask the backend, and how likely an answer is of use. No I/O."""
