"""The page of the old app reads its old rows as they were, under their old ids."""

from pathlib import Path

from tests.adapters.queue_manager.scene import opened
from tests.imports.old_app import ANA, LONG_AGO, OldApp

COLUMNS = (
    "id,user_id,status,output_url,thumbnail_url,error_message,position,created_at,completed_at,user_credit_cost,"
    "credits_charged,credits_refunded,prompt,engine"
)


async def test_old_rows_are_read_under_their_ids_and_repeat_no_promise(app: OldApp, tmp_path: Path) -> None:
    url = "https://old.example/1.png"
    done = await app.job(
        ANA, "completed", output_url=url, thumbnail_url=url + "?small", credits_refunded=False
    )
    lost = await app.job(
        ANA,
        "failed",
        "image_generator_jobs",
        engine="flux2_klein",
        prompt="a hill",
        error_message="Failed. Your credits were given back!",
        user_credit_cost=50,
        credits_refunded=False,
    )
    await app.bring_in(apply=True)
    async with opened(app.new_dsn, tmp_path) as scene:
        [row] = (await scene.page.select("upscaler_jobs", done, COLUMNS.removesuffix(",prompt,engine"))).body
        assert row == {
            "id": str(done),
            "user_id": ANA,
            "status": "completed",
            "output_url": url,
            "thumbnail_url": url + "?small",
            "error_message": None,
            "position": 0,
            "created_at": LONG_AGO.isoformat(),
            "completed_at": "2026-03-01T12:03:00+00:00",
            "user_credit_cost": 60,
            "credits_charged": True,
            "credits_refunded": False,
        }
        [failed] = (await scene.page.select("image_generator_jobs", lost, COLUMNS)).body
        assert failed["error_message"] == "The job failed before it was brought here."
        assert (failed["credits_charged"], failed["credits_refunded"]) == (True, False)
        assert (failed["prompt"], failed["engine"]) == ("a hill", "flux2_klein")
        assert (await scene.engine.get(lost)).type == "flux2_klein"
        told = await scene.page.finish("upscaler_jobs", done)
        assert told.body == {"success": True, "skipped": True, "reason": "already_terminal"}
