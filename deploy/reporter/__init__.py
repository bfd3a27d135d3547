"""Outputs: plan, report, status, doctor, reap and errors as text, Markdown, JSON and HTML.

Pure: values in, a string or a JSON value out. Nothing is printed, read from Azure or decided here. All remote text
passes through `sanitize`, and secrets are hidden in each format.

    layout, wording, details        lines on a terminal; sentences of several outputs; fields of a step
    text, problems, doctor, reap    for a terminal: plan and report, errors, checks, reaped endpoints
    status, status_rows, ics        existing endpoints: for a terminal, as rows, the ends of leases as iCalendar
    markdown, json_documents        for pull requests; as JSON
    html, status_html               the report, and the status of several environments, as one HTML page (templates/)
    overview, timeline              of a run: where, when, by whom, traffic; time of each step
    workflow_commands, jobsummary   for a job of GitHub Actions
    cost                            costs in words and as JSON
    origin                          commit, user, time and run of a deployment
    case_table                      the cases of a probe beside those of the live deployment
    call, call_code                 a scoring request of invoke; the code for other programs
    files                           the files of a report and of `render`
"""

from __future__ import annotations

from deploy.redact import HIDDEN, is_secret
from deploy.reporter.call import Call, call_files, call_json, call_markdown, call_text
from deploy.reporter.call_code import CallCode, call_code
from deploy.reporter.case_table import case_table
from deploy.reporter.doctor import doctor_json, doctor_text
from deploy.reporter.files import cli_files, report_files
from deploy.reporter.html import report_html
from deploy.reporter.ics import status_ics
from deploy.reporter.jobsummary import LIMIT as SUMMARY_LIMIT
from deploy.reporter.jobsummary import fit_summary, job_summary
from deploy.reporter.json_documents import plan_dump, plan_json, plan_load, report_json
from deploy.reporter.markdown import error_markdown, notices_markdown, plan_markdown, report_markdown, status_markdown
from deploy.reporter.problems import error_json, error_text
from deploy.reporter.reap import reap_text
from deploy.reporter.status import adopted_notes, idle_notes, paused_notes, status_json, status_text
from deploy.reporter.status_html import EnvironmentStatus, status_html
from deploy.reporter.status_rows import EndpointRow, SlotRow, endpoint_row
from deploy.reporter.text import plan_text, report_text
from deploy.reporter.wording import HELD_BACK, format_change, format_value, held_back_text, interruption_notes
from deploy.reporter.workflow_commands import (
    annotation_commands,
    error_annotations,
    mask_commands,
    notice_annotations,
    outputs,
    plan_secrets,
    report_annotations,
)

__all__ = [
    "HELD_BACK",
    "HIDDEN",
    "SUMMARY_LIMIT",
    "Call",
    "CallCode",
    "EndpointRow",
    "EnvironmentStatus",
    "SlotRow",
    "adopted_notes",
    "annotation_commands",
    "call_code",
    "call_files",
    "call_json",
    "call_markdown",
    "call_text",
    "case_table",
    "cli_files",
    "doctor_json",
    "doctor_text",
    "endpoint_row",
    "error_annotations",
    "error_json",
    "error_markdown",
    "error_text",
    "fit_summary",
    "format_change",
    "format_value",
    "held_back_text",
    "idle_notes",
    "interruption_notes",
    "is_secret",
    "job_summary",
    "mask_commands",
    "notice_annotations",
    "notices_markdown",
    "outputs",
    "paused_notes",
    "plan_dump",
    "plan_json",
    "plan_load",
    "plan_markdown",
    "plan_secrets",
    "plan_text",
    "reap_text",
    "report_annotations",
    "report_files",
    "report_html",
    "report_json",
    "report_markdown",
    "report_text",
    "status_html",
    "status_ics",
    "status_json",
    "status_markdown",
    "status_text",
]
