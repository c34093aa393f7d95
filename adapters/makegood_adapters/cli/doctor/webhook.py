"""What became of the webhook of one task at RunningHub, and one more try if it did not arrive."""

from makegood.errors import ProviderUnavailable
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.runninghub import RunningHub


async def look(task_id: str, provider: RunningHub, found: Findings) -> None:
    """Tell whether the webhook of the task arrived; RunningHub is asked to send again what did not."""
    try:
        delivery = await provider.inspection.delivery(task_id)
        if delivery is None:
            found.unknown("RunningHub has sent no webhook for it: it runs still, or was created without one")
        elif delivery.arrived:
            found.good(f"its webhook arrived: {delivery.response or 'taken'}")
        else:
            found.wrong(f"its webhook did not arrive: {delivery.response or 'RunningHub does not say why'}")
            await provider.inspection.send_again(delivery)
            found.good("RunningHub was asked to send it once more")
    except ProviderUnavailable as error:
        found.wrong(str(error))
