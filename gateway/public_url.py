"""The public URL: what partners put before ``/ocpi/…``; where no setting says, this machine's api process knows."""

from gateway.settings import Settings


def keep_public_url(settings: Settings) -> None:
    """For operators' commands on the same data directory."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "public-url").write_text(settings.public_url)


def with_public_url(settings: Settings) -> Settings:
    """``settings``, or with the URL that the api process listened at last; without one where it never ran."""
    kept = settings.data_dir / "public-url"
    if settings.public_url or not kept.exists():
        return settings
    return settings.model_copy(update={"public_url": kept.read_text().strip()})
