from typing import Annotated, Any

from makegood import BaseJob, File, JobInput


class Restyle(BaseJob):
    pool = "runninghub"

    class Input(JobInput):
        image: Annotated[str, File(("png", "jpeg"))]
        style: str = "watercolour"

    @classmethod
    def price_of(cls, value: Any) -> int:
        return 20 if value.style == "watercolour" else 30

    @classmethod
    def request(cls, value: Any) -> dict[str, Any]:
        image = {"node": "1", "field": "image", "value": {"file": "image"}}
        return {"app": "193700000001", "nodes": [image, {"node": "4", "field": "text", "value": value.style}]}
