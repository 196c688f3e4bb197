"""Speed, measured: ``make bench``. The only place where a time is judged."""
