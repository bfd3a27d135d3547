"""Says what is planned, what became of it and what is there, as text, Markdown, JSON and HTML.

Pure: values in, a string or a JSON value out. Nothing is printed, read or decided here. All text from far away passes
through `errors.neutral`, and what looks like a secret is hidden, whatever the form.

    ink, sentences, details    words on lines; what is said in the same words everywhere; what stands in a step
    text, problems, doctor     for a terminal: plan and report, errors, a diagnosis
    status, rows, calendar     what is there, from facts: for people and machines, and when leases end
    reaped                     who goes and who stays
    markdown, document         for pull requests, for machines
    html, style, timeline      for keeping: one page, its looks, how long each step took
    actions, jobsummary        for a job of GitHub Actions
    files                      what is written to disk, by name
"""

from __future__ import annotations

from deploy.redact import HIDDEN, is_secret
from deploy.reporter.actions import annotated, mask_commands, of_error, of_notices, of_report, outputs, secrets_of
from deploy.reporter.calendar import status_ics
from deploy.reporter.doctor import doctor_json, doctor_text
from deploy.reporter.document import plan_dump, plan_json, plan_load, report_json
from deploy.reporter.files import cli_files, report_files
from deploy.reporter.html import report_html
from deploy.reporter.jobsummary import ROOM as SUMMARY_ROOM
from deploy.reporter.jobsummary import fitting, job_summary
from deploy.reporter.markdown import error_markdown, notices_markdown, plan_markdown, report_markdown, status_markdown
from deploy.reporter.problems import error_json, error_text
from deploy.reporter.reap import reaped_text
from deploy.reporter.status import idle_notes, status_json, status_text
from deploy.reporter.status_rows import EndpointRow, SlotRow, endpoint_row
from deploy.reporter.text import plan_text, report_text
from deploy.reporter.wording import HELD, before_and_after, changed_value, held, onward

__all__ = [
    "HELD",
    "HIDDEN",
    "SUMMARY_ROOM",
    "EndpointRow",
    "SlotRow",
    "annotated",
    "before_and_after",
    "changed_value",
    "cli_files",
    "doctor_json",
    "doctor_text",
    "endpoint_row",
    "error_json",
    "error_markdown",
    "error_text",
    "fitting",
    "held",
    "idle_notes",
    "is_secret",
    "job_summary",
    "mask_commands",
    "notices_markdown",
    "of_error",
    "of_notices",
    "of_report",
    "onward",
    "outputs",
    "plan_dump",
    "plan_json",
    "plan_load",
    "plan_markdown",
    "plan_text",
    "reaped_text",
    "report_files",
    "report_html",
    "report_json",
    "report_markdown",
    "report_text",
    "secrets_of",
    "status_ics",
    "status_json",
    "status_markdown",
    "status_text",
]
