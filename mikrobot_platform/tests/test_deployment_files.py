"""What docker-compose.yml and deploy/ say is true: variables, commands, queues, metrics and images are the code's."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.bin.celery import celery as celery_door
from django.core.management import get_commands
from prometheus_client import Counter, Histogram

from mikrobot_platform import celery, health, metrics
from mikrobot_platform.local import variables

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
KNOWN = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE))
# Read by Celery, Python or an image that is not ours.
THEIRS = {"REMAP_SIGTERM", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS", "SITE_HOST"}

APP_SERVICES = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
MANIFESTS = [
    manifest
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
PODS = {
    manifest["metadata"]["name"]: manifest["spec"]["template"]["spec"]
    for manifest in MANIFESTS
    if manifest["kind"] in {"Deployment", "Job"}
}


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="deploy/secrets.sh needs openssl")


def without_file(name: str) -> str:
    return name.removesuffix("_FILE")


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for manifest in MANIFESTS if manifest["kind"] == kind}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Give every command that an image of ours is started with."""
    for name, service in APP_SERVICES.items():
        if "command" in service:
            yield f"compose {name}", shlex.split(service["command"])
    for name, pod in PODS.items():
        for container in pod["containers"]:
            if "command" in container:
                yield f"kubernetes {name}", [*container["command"], *container.get("args", [])]
    yield "image", [part for line in re.findall(r"^CMD (\[.+\])$", _joined(), re.MULTILINE) for part in words_of(line)]


def _joined() -> str:
    return re.sub(r"\s*\\\n\s*", " ", DOCKERFILE)


def words_of(text: str) -> list[str]:
    """Read a JSON list."""
    words = yaml.safe_load(text)
    assert isinstance(words, list)
    return [str(word) for word in words]


# --- Variables -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", COMPOSE["services"])
def test_compose_sets_only_variables_that_are_read(name: str) -> None:
    given = COMPOSE["services"][name].get("environment", {})
    assert {without_file(key) for key in given} <= KNOWN | {without_file(key) for key in THEIRS}


def test_kubernetes_sets_only_variables_that_are_read() -> None:
    given = set(of_kind("ConfigMap")["mikrobot"]["data"])
    given |= set(of_kind("Secret")["mikrobot"]["stringData"]) | set(of_kind("Secret")["mikrobot-owner"]["stringData"])
    given |= {
        entry["name"] for pod in PODS.values() for container in pod["containers"] for entry in container.get("env", [])
    }
    assert given <= KNOWN | THEIRS


def test_the_image_sets_only_variables_that_are_read() -> None:
    given = {
        name for line in re.findall(r"^ENV (.+)$", _joined(), re.MULTILINE) for name in re.findall(r"(\w+)=", line)
    }
    pythons = {"PATH", "MIKROBOT_BOOTSTRAP"} | {name for name in given if name.startswith(("PIP_", "PYTHON"))}
    assert given <= KNOWN | pythons


def settings_of(given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import mikrobot_platform.settings"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "MIKROBOT_MODE": "production", **given},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@needs_openssl
@pytest.mark.parametrize("name", APP_SERVICES)
def test_what_compose_gives_is_enough(name: str, tmp_path: Path) -> None:
    """Start the settings with the service's own variables; `secrets.sh` fills the files."""
    made = make_secrets(tmp_path)
    service = APP_SERVICES[name]
    given = {}
    for key, value in service["environment"].items():
        text = re.sub(r"\$\{SITE_HOST[^}]*\}", "mikrobot.example.com", str(value))
        text = re.sub(r"\$\{EMAIL_URL[^}]*\}", "smtp://localhost", text)
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        if text.startswith("/run/secrets/"):
            secret = Path(text).name
            assert secret in service["secrets"]
            text = str(made / Path(COMPOSE["secrets"][secret]["file"]).name)
        given[key] = text
    done = settings_of(given)
    assert done.returncode == 0, done.stderr


@needs_openssl
def test_what_kubernetes_gives_is_enough(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    given = dict(of_kind("ConfigMap")["mikrobot"]["data"])
    for name in of_kind("Secret")["mikrobot"]["stringData"]:
        given[name] = variables.parse(EXAMPLE, ".env.example")[name]
    given["MASTER_KEYS_FILE"] = str(made / "master_keys")
    done = settings_of(given)
    assert done.returncode == 0, done.stderr


def test_only_migrations_know_the_owner() -> None:
    compose = {name for name, service in APP_SERVICES.items() if "database_owner_url" in service["secrets"]}
    kubernetes = {name for name, pod in PODS.items() if "mikrobot-owner" in str(pod)}
    assert (compose, kubernetes) == ({"migrate"}, {"migrate"})


def make_secrets(folder: Path) -> Path:
    """Run deploy/secrets.sh over a copy of itself."""
    (folder / "deploy").mkdir()
    script = Path(shutil.copy(DEPLOY / "secrets.sh", folder / "deploy"))
    subprocess.run(["sh", str(script), "mikrobot.example.com"], check=True, capture_output=True, timeout=30)
    return folder / ".local" / "deploy"


@needs_openssl
def test_secrets_are_made_once_and_closed(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    first = {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()}
    subprocess.run(
        ["sh", "deploy/secrets.sh", "x.example.com"], cwd=tmp_path, check=True, capture_output=True, timeout=30
    )
    assert {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()} == first
    assert made.stat().st_mode & 0o777 == 0o700
    wanted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert wanted - first.keys() == {"tls.crt", "tls.key"}


def test_templates_of_secrets_are_empty() -> None:
    assert {value for secret in of_kind("Secret").values() for value in secret["stringData"].values()} == {""}


# --- Commands --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("where", "words"), [*commands()])
def test_commands_exist(where: str, words: list[str]) -> None:
    if words[0] == "python":
        assert words[1] == "manage.py"
        assert words[2] in get_commands()
    elif words[0] == "celery":
        assert words[2] == "mikrobot_platform.celery"
        # Celery lets options pass that it does not know, so they are compared with those that it does.
        options = {option for parameter in celery_door.commands[words[3]].params for option in parameter.opts}
        assert {word for word in words[4:] if word.startswith("--")} <= options
    else:
        assert words[0] == "gunicorn"
        done = subprocess.run(
            [sys.executable, "-m", "gunicorn", "--check-config", *words[1:]],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def queues_of(names: Mapping[str, list[str]]) -> list[str]:
    lists = [words[words.index("--queues") + 1].split(",") for words in names.values() if "--queues" in words]
    return sorted(queue for queues in lists for queue in queues)


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_every_queue_has_a_worker_and_signals_stand_alone(place: str) -> None:
    ours = {where: words for where, words in commands() if where.startswith(place)}
    assert queues_of(ours) == sorted(celery.QUEUES)
    assert any(words[words.index("--queues") + 1] == "signals" for words in ours.values() if "--queues" in words)


def test_there_is_one_beat() -> None:
    assert of_kind("Deployment")["beat"]["spec"]["replicas"] == 1
    assert of_kind("Deployment")["beat"]["spec"]["strategy"] == {"type": "Recreate"}
    assert "beat" not in of_kind("HorizontalPodAutoscaler")


def test_there_is_one_watcher_and_whoever_looks_has_the_files() -> None:
    assert of_kind("Deployment")["watcher"]["spec"]["replicas"] == 1
    assert of_kind("Deployment")["watcher"]["spec"]["strategy"] == {"type": "Recreate"}
    folder = settings_folder()
    for name in ("watcher", "worker-signals"):
        assert folder in {mount["mountPath"] for mount in PODS[name]["containers"][0]["volumeMounts"]}
        assert folder in {volume.partition(":")[2] for volume in APP_SERVICES[name]["volumes"]}
    assert folder in DOCKERFILE


def test_there_is_one_who_watches_accounts() -> None:
    assert of_kind("Deployment")["accounts"]["spec"]["replicas"] == 1
    assert of_kind("Deployment")["accounts"]["spec"]["strategy"] == {"type": "Recreate"}
    assert APP_SERVICES["accounts"]["command"].endswith("watch_accounts")


def settings_folder() -> str:
    """Return the folder for signal files as the example and so the image have it."""
    data = variables.parse(EXAMPLE, ".env.example")["DATA_DIR"]
    return f"{data}/signals"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_ask_what_is_answered(path: str) -> None:
    assert path in health.HealthMiddleware.VIEWS
    assert path in {
        probe["httpGet"]["path"]
        for container in PODS["web"]["containers"]
        for name, probe in container.items()
        if name.endswith("Probe")
    }


# --- Images and containers -------------------------------------------------------------------------------------------
def test_images_carry_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {service["image"] for service in APP_SERVICES.values()} == {f"mikrobot:{version}"}
    assert [image["newTag"] for image in kustomization()["images"]] == [version]
    assert {container["image"] for pod in PODS.values() for container in pod["containers"]} == {"mikrobot"}


def kustomization() -> dict[str, Any]:
    return next(manifest for manifest in MANIFESTS if manifest["kind"] == "Kustomization")


def test_every_other_image_is_pinned() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()] + re.findall(
        r"^FROM (\S+)", DOCKERFILE, re.M
    )
    for image in images:
        assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", image), image


def test_the_image_is_nobody_in_particular() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert ".env" not in last


@pytest.mark.parametrize("name", PODS)
def test_pods_are_locked_down(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name", APP_SERVICES)
def test_containers_are_locked_down(name: str) -> None:
    service = APP_SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service


def test_only_nginx_is_published() -> None:
    assert {name for name, service in COMPOSE["services"].items() if "ports" in service} == {"nginx"}


def test_parts_of_kubernetes_belong_together() -> None:
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert {*kustomization()["resources"]} == files - {"kustomization.yaml", "secret.template.yaml"}
    deployments = of_kind("Deployment")
    for name, scaler in of_kind("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert "replicas" not in deployments[name]["spec"], "two would quarrel about the number"
    for name, budget in of_kind("PodDisruptionBudget").items():
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels == {"app.kubernetes.io/name": name}
    secrets = {
        volume["secret"]["secretName"] for pod in PODS.values() for volume in pod["volumes"] if "secret" in volume
    }
    named = {
        source["secretRef"]["name"]
        for pod in PODS.values()
        for container in pod["containers"]
        for source in container["envFrom"]
        if "secretRef" in source
    }
    assert secrets | named == of_kind("Secret").keys()


# --- nginx and PgBouncer ---------------------------------------------------------------------------------------------
def test_nginx_writes_the_forwarding_headers_anew() -> None:
    proxy = (DEPLOY / "nginx" / "proxy.conf").read_text(encoding="utf-8")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxy
    assert "proxy_add_x_forwarded_for" not in proxy
    assert APP_SERVICES["web"]["environment"]["TRUSTED_PROXY_COUNT"] == "1"


def test_nginx_gives_no_figures_away() -> None:
    site = (DEPLOY / "nginx" / "site.conf.template").read_text(encoding="utf-8")
    assert re.search(r"location /metrics \{\s+return 404;", site)
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in site
    assert "Strict-Transport-Security" not in site


OPENING = ("hooks/tv", "invitation", "account/confirm-email", "account/password/reset/key")
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx is not installed here"
)


def locations() -> dict[str, str]:
    """Give what nginx does with each group of addresses of the site."""
    site = (DEPLOY / "nginx" / "site.conf.template").read_text(encoding="utf-8")
    served = site[site.index("listen 443 ssl;") :]
    return {name.strip(): inner for name, inner in re.findall(r"location ([^{]+)\{([^}]+)\}", served)}


def test_no_proxy_logs_an_address_that_opens_something() -> None:
    main = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    written = main[main.index("log_format house") : main.index("access_log /dev/stdout house;")]
    assert not re.search(r"\$(request|request_uri|uri|http_referer|args)\b", written)
    found = locations()
    silent = [name for name, inner in found.items() if re.search(r"error_log \S+ emerg;", inner)]
    assert silent == ["^~ /hooks/", "~ ^/(invitation|account/confirm-email|account/password/reset/key)/"]
    [quiet] = [
        one
        for one in MANIFESTS
        if one["kind"] == "Ingress"
        and one["metadata"]["annotations"].get("nginx.ingress.kubernetes.io/enable-access-log") == "false"
    ]
    paths = [one["path"] for one in quiet["spec"]["rules"][0]["http"]["paths"]]
    assert all(any(f"/{address}/".startswith(f"{path}/") for path in paths) for address in OPENING)


def test_an_ingress_that_is_not_logged_is_served_like_the_other() -> None:
    logged, quiet = (of_kind("Ingress")[name] for name in ("mikrobot", "mikrobot-unlogged"))
    annotations = dict(quiet["metadata"]["annotations"])
    del annotations["nginx.ingress.kubernetes.io/enable-access-log"]
    assert annotations == logged["metadata"]["annotations"]
    assert quiet["spec"]["tls"] == logged["spec"]["tls"]
    assert quiet["spec"]["rules"][0]["host"] == logged["spec"]["rules"][0]["host"]
    backends = [one["spec"]["rules"][0]["http"]["paths"] for one in (logged, quiet)]
    assert all(path["backend"] == backends[0][0]["backend"] for paths in backends for path in paths)


def test_hooks_are_counted_by_their_address_and_not_by_their_sender() -> None:
    main, hooks = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8"), locations()["^~ /hooks/"]
    zones = dict(re.findall(r"limit_(?:req|conn)_zone (\S+) zone=(\w+):", main))
    keys = {zone: key for key, zone in re.findall(r"limit_(?:req|conn)_zone (\S+) zone=(\w+):", main)}
    assert zones
    used = re.findall(r"limit_(?:req zone=|conn )(\w+)", hooks)
    assert [keys[zone] for zone in used] == ["$uri", "$binary_remote_addr", "$uri"]
    rates = dict(re.findall(r"zone=(\w+):\S+ rate=(\d+)r/s", main))
    assert int(rates["hooks_by_address"]) >= 10 * int(rates["by_hook"]), "TradingView has four addresses for everybody"


@needs_nginx
def test_nginx_writes_no_secret_down_when_the_web_is_gone(tmp_path: Path) -> None:
    with listening(tmp_path) as (port, log):
        for address in OPENING:
            ask(port, f"/{address}/sesame-Open9/")
        ask(port, "/elsewhere/sesame-Shut9/")
    written = log.read_text(encoding="utf-8")
    assert "sesame-Open9" not in written
    assert "sesame-Shut9" in written, "it does complain: this test could fail"


@needs_nginx
def test_a_flood_at_one_hook_leaves_the_others_alone(tmp_path: Path) -> None:
    with listening(tmp_path) as (port, _log):
        flood = [ask(port, "/hooks/tv/one/") for _ in range(160)]
        others = [ask(port, f"/hooks/tv/other{number}/") for number in range(160)]
    assert 429 in flood
    assert 429 not in others


def ask(port: int, path: str) -> int:
    context = ssl._create_unverified_context()
    door = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    door.request("POST", path, b"{}", {"Host": "a.example"})
    status = door.getresponse().status
    door.close()
    return status


@contextmanager
def listening(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Run nginx with the site's files on a free port of this machine; there is no web behind it."""
    main, log = filled(tmp_path), tmp_path / "log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    site, text = tmp_path / "conf.d" / "site.conf", main.read_text(encoding="utf-8")
    served = site.read_text(encoding="utf-8")
    served = "server {\n" + served[served.index("    listen 443 ssl;\n") :]
    site.write_text(
        re.sub(r"web:8000", "127.0.0.1:1", served)
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("/dev/stderr", str(log)),
        encoding="utf-8",
    )
    main.write_text(
        text.replace("/dev/stderr", str(log)).replace("/dev/stdout", f"{tmp_path}/access"), encoding="utf-8"
    )
    command = ["nginx", "-c", str(main), "-p", str(tmp_path), "-e", str(log), "-g", "daemon off; master_process off;"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert running.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield port, log
    finally:
        running.terminate()
        running.wait(timeout=10)


@needs_nginx
def test_nginx_understands_its_files(tmp_path: Path) -> None:
    """Let the real nginx read them."""
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", str(filled(tmp_path))], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr


def filled(tmp_path: Path) -> Path:
    """Fill the template as nginx's image does, with a certificate made for it; return the main file."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=a.example",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True, timeout=10).stderr
    is_old = tuple(map(int, re.findall(r"nginx/(\d+)\.(\d+)", version)[0])) < (1, 25)  # before `http2 on`
    site = (DEPLOY / "nginx" / "site.conf.template").read_text(encoding="utf-8")
    for old, new in {
        "${SITE_HOST}": "a.example",
        "/run/secrets/": f"{tmp_path}/",
        "/etc/nginx/proxy.conf": str(DEPLOY / "nginx" / "proxy.conf"),
        **({"    http2 on;\n": ""} if is_old else {}),
    }.items():
        assert old in site
        site = site.replace(old, new)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.conf").write_text(site, encoding="utf-8")
    main = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    main = main.replace("/etc/nginx/conf.d", f"{tmp_path}/conf.d").replace("/tmp/nginx.pid", f"{tmp_path}/pid")
    (tmp_path / "nginx.conf").write_text(main, encoding="utf-8")
    return tmp_path / "nginx.conf"


def test_pgbouncer_pools_transactions() -> None:
    text = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text(encoding="utf-8")
    assert "pool_mode = transaction" in text
    assert f"auth_file = /run/secrets/{COMPOSE['services']['pgbouncer']['secrets'][0]}" in text


# --- Monitoring ------------------------------------------------------------------------------------------------------
def measured() -> set[str]:
    """Name every series that /metrics can answer."""
    collectors = [value for value in vars(metrics).values() if isinstance(value, Counter | Histogram)]
    families = [family for collector in collectors for family in collector.collect()]
    names = {f"{family.name}_total" for family in families if family.type == "counter"}
    names |= {
        f"{family.name}_{part}"
        for family in families
        if family.type == "histogram"
        for part in ("bucket", "count", "sum")
    }
    source = (ROOT / "mikrobot_platform" / "health.py").read_text(encoding="utf-8")
    gauges = set(re.findall(r'GaugeMetricFamily\("(\w+)"', source))
    gauges |= {f"mikrobot_outbox_{name}" for name in re.findall(r'^\s+\("(\w+)", "[A-Z]', source, re.MULTILINE)}
    return names | gauges


def test_alerts_watch_what_is_measured() -> None:
    rules = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))
    names = {
        name
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"mikrobot_\w+", rule["expr"])
    }
    assert names
    assert names - measured() == set()
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["action"]


def test_alerts_name_queues_that_exist() -> None:
    text = (DEPLOY / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    named = {name for group in re.findall(r'name=~?"([\w|]+)"', text) for name in group.split("|")}
    assert named == {*celery.QUEUES, "beat", "watcher", "paper_venue", "accounts"}
