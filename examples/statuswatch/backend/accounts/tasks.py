"""Mails to new users."""

import smtplib

from celery import Task, shared_task

from accounts import registration


@shared_task(
    bind=True,
    name="accounts.send_verification",
    autoretry_for=(smtplib.SMTPException, OSError),
    retry_backoff=10,
    retry_backoff_max=250,
    max_retries=5,
)
def send_verification(self: Task, schema_name: str, user_id: int) -> bool:
    """Send one mail; a mail server that is away is asked again for some minutes."""
    return registration.send(schema_name, user_id)
