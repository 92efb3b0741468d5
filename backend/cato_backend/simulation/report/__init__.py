"""A study as one self-contained page, and as JSON."""

from cato_backend.simulation.report.page import write_page
from cato_backend.simulation.report.study_json import study_record

__all__ = ["study_record", "write_page"]
