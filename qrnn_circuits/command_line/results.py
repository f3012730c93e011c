"""``qrnn results``: the report on a submitted job."""

from typing import Annotated, Any

import typer

from qrnn_circuits.command_line.devices import keeps_jobs, make_device
from qrnn_circuits.command_line.errors import device_errors, run_errors, usage_errors
from qrnn_circuits.command_line.options import ChartOption, JsonOption
from qrnn_circuits.command_line.plain import echo, plain
from qrnn_circuits.command_line.run import show_report
from qrnn_circuits.command_line.run_forecast import fetch_forecast, show_forecast
from qrnn_circuits.command_line.submission import advice_on, fetch_job
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.job_store import JobStatus, JobStore


def results(
    job: Annotated[str, typer.Argument(metavar="ID", help="What qrnn submit printed.")],
    wait: Annotated[
        bool, typer.Option(help="Whether to wait for a job that the service has not run yet.")
    ] = True,
    chart: ChartOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a job's results and compare them with the exact model, as qrnn run does.

    What was fetched once is on disk. A job goes on if this command is stopped.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.execution import Plan, make_report
        from qrnn_circuits.execution.figure_files import check_chart_path
        from qrnn_circuits.execution.forecast_plan import ForecastPlan
        from qrnn_circuits.execution.plan import check_name

        if chart is not None:
            check_chart_path(chart)
        record = JobStore().get(job)
        if "plan" not in record.context:
            raise ValueError(
                f"job {job} is not one of qrnn submit; in Python, "
                f"qml.device({record.device!r}).fetch({job!r}) gives its results"
            )
        planned, title = record.context["plan"], record.context.get("device")
        plan: Plan | ForecastPlan
        # The task of a forecast may be one of the user's own, of any name.
        if isinstance(planned, dict) and "truth" in planned:
            plan = ForecastPlan.from_json(planned)
        else:
            plan = Plan.from_json(planned)
        if plan.shots is None:
            raise ValueError(f"the plan of job {job} names no shots, which every job has")
        if not isinstance(title, str):
            raise ValueError(f"the context of job {job} names no device of its report")
        check_name("the device of the report", title)
        if not keeps_jobs(record.device):
            raise ValueError(
                f"job {job} is recorded for the device {record.device!r}, which keeps no jobs: "
                "submit it again"
            )
        wires = plan.wires if isinstance(plan, Plan) else None
        device: Any = make_device(record.device, wires)
    with device_errors():
        if wait and record.status in (JobStatus.RECORDED, JobStatus.SUBMITTED):
            clear()
            echo(f"fetching job {job} from {record.backend}", err=True)
        doing(f"waiting for job {job} on {plain(record.backend).plain}", advice_on(job))
        if isinstance(plan, ForecastPlan):
            forecast = fetch_forecast(plan, device, job, title=title, wait=wait)
            show_forecast(forecast, chart, as_json=as_json)
            return
        fetched, kept = fetch_job(device, job, wait=wait)
        result = make_report(plan, fetched, device=title, kept=kept)
    show_report(result, chart, as_json=as_json)
