"""A study as one self-contained page, and as JSON."""

from cato_lab.report.page import write_page
from cato_lab.report.study_json import study_record

__all__ = ["study_record", "write_page"]
