"""What observers make of an engine's work: measures, and the spans of a trace for each job."""

from makegood_adapters.telemetry.blobs import MeasuredBlobs
from makegood_adapters.telemetry.engine import EngineMetrics
from makegood_adapters.telemetry.lag import watch_lag
from makegood_adapters.telemetry.lives import Life, Lives
from makegood_adapters.telemetry.table import METRICS, Kind, Measure

__all__ = ["METRICS", "EngineMetrics", "Kind", "Life", "Lives", "Measure", "MeasuredBlobs", "watch_lag"]
