"""What every module may use: environment, idempotent migrations, log files. It knows no other module."""
