"""The app for any WSGI server (`cds_service.wsgi:app`); the only module with an effect at import."""

import os

from cds_service import logs
from cds_service.app import create_app, freeze, warn_of_open_door
from cds_service.settings import read_settings

_settings = read_settings(os.environ)
logs.configure(_settings.log_level)
warn_of_open_door(_settings)
app = create_app(_settings)
freeze()
