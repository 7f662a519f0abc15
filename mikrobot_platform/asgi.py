"""ASGI door; the WebSocket hub joins here with the dashboard."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mikrobot_platform.settings")

application = get_asgi_application()
