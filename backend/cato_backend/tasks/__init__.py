"""What is asked of a model, in the model's own form. Pure: no I/O, no clock.

- `detection`: which fill-in-the-middle format a model takes (`probe_texts`, `detect`)
- `infill`: a prompt in that format (`render`), user text made harmless
- `trim`: prefix, suffix and context cut to the model's limit
- `whole`: a whole task as calls of a model (`plan`) and their answers as one (`finish`)
"""
