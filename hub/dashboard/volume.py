"""How much came: as a number, and over time."""

from itertools import zip_longest

from hub.dashboard import charts
from hub.dashboard.asked import Asked
from hub.dashboard.charts import Counted
from hub.dashboard.render import counted, number, signed
from hub.dashboard.view import Tile, VolumeOverTime, VolumeRow
from hub.metrics import Bucket, Report, Volume


def volume_tile(found: Report[Volume]) -> Tile:
    series = [bucket.measure.submissions for bucket in found.series or []]
    previous = found.previous
    change = ""
    if previous is not None and previous.submissions:
        change = f"{signed(100 * (found.total.submissions / previous.submissions - 1))}%"
    return Tile(
        name="Submissions",
        value=number(found.total.submissions),
        change=change,
        than="" if previous is None else f"from {number(previous.submissions)}",
        note=f"{counted(found.total.records, 'record')} of {counted(found.total.users, 'person', 'people')}",
        href=found.records and f"records?{found.records}",
        spark=charts.spark(series, 0, max(series, default=1)),
        look="#volume",
    )


def volume_over_time(found: Report[Volume], before: Report[Volume] | None, asked: Asked) -> VolumeOverTime:
    """With the period before, first beside first. What of it is but a part of a week would look like a fall beside a whole one."""
    series = found.series or []
    earlier = [bucket for bucket in (before.series if before else None) or [] if asked.is_all_before(bucket.bucket)]
    pairs = list(zip_longest(series, earlier[: len(series)]))
    return VolumeOverTime(
        drawing=charts.pillars([_counted(bucket, then, asked) for bucket, then in pairs]),
        rows=[
            VolumeRow(
                label=asked.named(bucket.bucket), records=bucket.measure.records,
                submissions=bucket.measure.submissions, users=bucket.measure.users, href=f"records?{bucket.records}",
                before_records=then.measure.records if then else None,
                before_submissions=then.measure.submissions if then else None,
                before_href=f"records?{then.records}" if then else None,
            )
            for bucket, then in pairs
        ],
        bucket=asked.interval.title(),
    )  # fmt: skip


def _counted(bucket: Bucket[Volume], then: Bucket[Volume] | None, asked: Asked) -> Counted:
    measure = bucket.measure
    text = f"{asked.named(bucket.bucket)}\n{_much(measure)}"
    return Counted(
        label=asked.labeled(bucket.bucket), count=measure.records, part=measure.submissions,
        before=then.measure.records if then else None,
        title=f"{text}\n{asked.named(then.bucket)}\n{_much(then.measure)}" if then else text,
        href=f"records?{bucket.records}" if measure.records else None,
        first=str(bucket.bucket), last=str(asked.last_day(bucket.bucket)),
    )  # fmt: skip


def _much(measure: Volume) -> str:
    return f"{counted(measure.records, 'record')} of {counted(measure.submissions, 'submission')}"
