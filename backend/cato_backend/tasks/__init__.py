"""Prompts in the forms of models, and whole tasks. Pure: no I/O, no clock.

- `detection`: which fill-in-the-middle format a model takes (`probe_texts`, `detect`), and whether
  it follows instructions (`recognize`)
- `infill`: a prompt in that format (`render`), cut to the model's limit (`trim`)
- `whole`: a whole task as calls of a model (`plan`) and their answers as one (`finish`)
"""
