"""The page of figures, `bench/README.md`, made from `bench/results`: `python -m bench.report`.

`sources` lists the result files with the function that reads each; the other modules hold these
functions. A claim is one row. Nothing on the page is written by hand, so that a figure cannot
differ from its raw file.
"""
