"""Every setting on one page. What differs between places comes from the environment (.env.example), and only that."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from mikrobot_platform.environment import MODES, NOTHING_CONFIGURED, Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Where we are ----------------------------------------------------------------------------------------------------
MODE = env.choice("MIKROBOT_MODE", MODES, NOTHING_CONFIGURED if env.is_unconfigured else "production")
IS_LOCAL = MODE == "local"
SITE = env.site("SITE_URL", "http://localhost:8000")
SITE_URL = SITE.geturl().rstrip("/")
IS_HTTPS = SITE.scheme == "https"
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".local"))).absolute()
# Files that EAs write and sources read (trading/files/); nothing outside is ever opened for a source.
SIGNAL_FILES_DIR = Path(env.text("SIGNAL_FILES_DIR", str(DATA_DIR / "signals"))).absolute()
DEBUG = False
SECRET_KEY = env.text("SECRET_KEY") or secrets.token_urlsafe(64)
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
# Keys that wrap every organization's data key, the first is current; from a file a running service sees a rotation.
MASTER_KEYS_FILE = env.values.get("MASTER_KEYS_FILE", "")
MASTER_KEYS = env.names("MASTER_KEYS") if not MASTER_KEYS_FILE else []
if not MASTER_KEYS and not MASTER_KEYS_FILE and MODE != NOTHING_CONFIGURED:
    env.complaints.append("MASTER_KEYS or MASTER_KEYS_FILE is missing")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS") or ([SITE.hostname] if SITE.hostname else [])
if MODE in {"local", "test"}:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]", "testserver"]

# --- The rooms -------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "mikrobot_platform.apps.PlatformConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "mikrobot_platform.apps.AdminConfig",
    "csp",
    "rest_framework",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "accounts.apps.AccountsConfig",
    "risk_management.apps.RiskManagementConfig",
    "notifications.apps.NotificationsConfig",
    "trading.apps.TradingConfig",
    "dashboard.apps.DashboardConfig",
]
MIDDLEWARE = [
    "mikrobot_platform.health.HealthMiddleware",  # probes come by address: before the host check and every redirect
    "mikrobot_platform.middleware.TraceMiddleware",
    "mikrobot_platform.middleware.PastedAddressMiddleware",  # before everything that redirects or reads the path
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "accounts.auth.sessions.SignedSessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "accounts.middleware.TenantMiddleware",
    "dashboard.middleware.ReaderMiddleware",
]
ROOT_URLCONF = "mikrobot_platform.urls"
WSGI_APPLICATION = "mikrobot_platform.wsgi.application"
ASGI_APPLICATION = "mikrobot_platform.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "dashboard" / "templates"],  # before allauth's own, which extend nothing of ours
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.house",
            ],
        },
    }
]

# --- PostgreSQL: three roles, one database (accounts/tenancy.py) -----------------------------------------------------
IS_PGBOUNCER = env.flag("DATABASE_PGBOUNCER", default=False)
_pool_size = env.number("DATABASE_POOL_SIZE", 8, low=0, high=200)
# A pool where threads share connections (web); Celery's children keep one each (celery.py, CELERY_DB_REUSE_MAX).
_pool = {"min_size": 0, "max_size": _pool_size, "timeout": 10, "max_idle": 300} if _pool_size else False
# What is asked again and again is planned once in a connection (db/prepared.py), where connections are our own.
_options = {"pool": _pool, "prepare_threshold": None if IS_PGBOUNCER else 2}
DATABASES = {
    "default": env.database("DATABASE_URL", _options),
    "engine": env.database("DATABASE_ENGINE_URL", _options),
    # Only migrations need it: a web or worker process that is broken into should not hold the key to the tables.
    "owner": env.database("DATABASE_OWNER_URL", {}, is_required=False),
}
for _alias in DATABASES.values():
    _alias["CONN_HEALTH_CHECKS"] = True
    _alias["DISABLE_SERVER_SIDE_CURSORS"] = IS_PGBOUNCER
DATABASE_ROUTERS = ["mikrobot_platform.db.router.ScopeRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

# --- Redis: 0 broker, 1 cache, 2 live --------------------------------------------------------------------------------
redis_database = env.redis("REDIS_URL")
CACHES = {
    "default": {
        # Rate limits and one-time codes live here, so it must be shared by every process.
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_database(1),
        "KEY_PREFIX": "mikrobot",
    }
}
SESSION_ENGINE = "accounts.auth.sessions"  # rows with copies in the cache
# The tests' client plants bare keys (force_login); test_sessions.py switches the signature on to prove it.
SESSION_COOKIE_SIGNED = MODE != "test"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())

# --- Celery (queues, routes and timetable stand in celery.py) --------------------------------------------------------
CELERY_BROKER_URL = redis_database(0)
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 4.0
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task, or Redis hands a running task to a second worker.
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "mikrobot:",
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}

# --- Who you are -----------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# ASVS 5.0, 6.2: length and known-bad passwords, no composition rules.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "landing"
ACCOUNT_ADAPTER = "accounts.auth.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.auth.forms.SignupDetails"
ACCOUNT_FORMS = {"signup": "accounts.auth.signup.SignupForm"}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # for e-mail addresses; factors ask by default, our own doors by themselves
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = SITE.scheme or "https"
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "signup": "20/m/ip"}
MFA_ADAPTER = "accounts.auth.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "MikroBot"
MFA_TOTP_TOLERANCE = 0
# Browsers give passkeys to https and to http://localhost only; the relaxation is for the latter.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS
USERSESSIONS_TRACK_ACTIVITY = True
TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0, high=10)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT

# --- The browser's rules ---------------------------------------------------------------------------------------------
_cookie = "__Host-" if IS_HTTPS else ""
SESSION_COOKIE_NAME = f"{_cookie}session"
CSRF_COOKIE_NAME = f"{_cookie}csrf"
LANGUAGE_COOKIE_NAME = f"{_cookie}language"
DEVICE_COOKIE_NAME = f"{_cookie}device"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # probes speak http inside the cluster
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # the TOTP code is drawn as a data: picture
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
        "worker-src": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20

# --- API -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.auth.keys.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.InOrganization"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsers.JsonParser"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttles.CallerThrottle"],
    "EXCEPTION_HANDLER": "accounts.api.problems.answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DEFAULT_SCHEMA_CLASS": None,
}
API_REQUESTS_PER_MINUTE = env.number("API_REQUESTS_PER_MINUTE", 100, low=1, high=100_000)

# --- Mail, words, files ----------------------------------------------------------------------------------------------
_email = env.email("EMAIL_URL", (DATA_DIR / "mail").as_uri() if MODE != "production" else "smtp://localhost:25")
EMAIL_BACKEND = str(_email["BACKEND"])
EMAIL_FILE_PATH = _email.get("FILE_PATH")
EMAIL_HOST, EMAIL_PORT = _email.get("HOST", "localhost"), _email.get("PORT", 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email.get("HOST_USER", ""), _email.get("HOST_PASSWORD", "")
EMAIL_USE_TLS, EMAIL_USE_SSL = _email.get("USE_TLS", False), _email.get("USE_SSL", False)
EMAIL_TIMEOUT = _email.get("TIMEOUT", 10)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"MikroBot <no-reply@{SITE.hostname or 'localhost'}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]  # strings are marked throughout; a translation adds a line here and a catalogue
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    # Exports wait here until they are fetched; never under a public address.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "files", "base_url": None, "file_permissions_mode": 0o600},
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if MODE in {"local", "production"}
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = MODE == "test"

# --- Venues ----------------------------------------------------------------------------------------------------------
PAPER_VENUE_DIR = DATA_DIR / "paper"
PAPER_VENUE_URL = env.socket("PAPER_VENUE_URL", PAPER_VENUE_DIR / "venue.sock")
VENUE_URLS = {"paper": PAPER_VENUE_URL}  # where adapters find their venues; only this says whether it is the real one
# Opens the venue's commands for drills (set prices, break things, count); without one there are none.
PAPER_VENUE_ADMIN_TOKEN = env.text("PAPER_VENUE_ADMIN_TOKEN", "")

# --- What operators see ----------------------------------------------------------------------------------------------
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
PROMETHEUS_MULTIPROC_DIR = env.text("PROMETHEUS_MULTIPROC_DIR", "")
LOGGING_CONFIG = None  # logs.configure() below: one JSON line an event, with the trace id, secrets masked
LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ("json", "plain"), "json")

# --- House rules in numbers ------------------------------------------------------------------------------------------
TERMS_VERSION = "2026-11-01"
RISK_VERSION = "2026-11-01"
INVITATION_AGE = timedelta(days=7)
CLOSING_GRACE = timedelta(days=14)
EXPORT_AGE = timedelta(days=7)
STAFF_SCOPE_AGE = timedelta(minutes=30)
AUDIT_HEADS_DIR = DATA_DIR / "audit-heads"

env.refuse()
