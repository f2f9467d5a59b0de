"""The line that makes each kind of proxy pass requests to the gateway."""

import pytest

from berthmaster.planner.proxies import ProxyKind, kind_of, names_of
from berthmaster.planner.proxyhint import Hint, Target, hint_for

PLAIN = Target("172.28.0.1", 8080, "shop.test")
SECURE = Target("172.28.0.1", 8443, "shop.test", is_tls=True, is_own_authority=True)
CALLEES = frozenset({"web", "old-web-1", "127.0.0.1:8090"})
NGINX = """\
# configuration file /etc/nginx/nginx.conf:
http { include /etc/nginx/conf.d/*.conf; }
# configuration file /etc/nginx/conf.d/shop.conf:
server {
    server_name shop.test www.shop.test _;  # not old.test
    # server_name gone.test;
    location / {
        proxy_pass http://web:8000/;
    }
}
server { listen 80; server_name blog.test; location / { proxy_pass http://blog:80; } }
"""
CADDY = """\
{
    email ops@shop.test
}
(common) {
    encode gzip
}
https://shop.test, www.shop.test:443 {
    import common
    reverse_proxy web:8000
}
http://blog.test {
    reverse_proxy blog:80
}
"""
HAPROXY = """\
frontend all
    bind :80
    use_backend shop if { req.hdr(host) -i shop.test www.shop.test }
    acl is_blog hdr(host) -i blog.test
backend shop
    server one web:8000 check inter 2s
"""
APACHE = """\
*:80  is a NameVirtualHost
         default server shop.test (/usr/local/apache2/conf/extra/shop.conf:1)
         port 80 namevhost shop.test (/usr/local/apache2/conf/extra/shop.conf:1)
                 alias www.shop.test
# configuration file /usr/local/apache2/conf/extra/shop.conf:
<VirtualHost *:80>
    ServerName shop.test
    ProxyPass / http://web:8000/
</VirtualHost>
"""
TRAEFIK = {
    "traefik.http.routers.shop.rule": "Host(`shop.test`) || Host(`www.shop.test`)",
    "traefik.http.routers.shop.tls.certresolver": "le",
    "traefik.http.services.shop.loadbalancer.server.port": "8000",
}


def hint(kind: ProxyKind, config: str, target: Target = PLAIN) -> Hint:
    return hint_for(kind, config, target, CALLEES, "front")


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("nginx:1.27-alpine", ProxyKind.NGINX),
        ("registry.test:5000/team/caddy@sha256:ab", ProxyKind.CADDY),
        ("traefik:v3.1", ProxyKind.TRAEFIK),
        ("docker.io/library/haproxy", ProxyKind.HAPROXY),
        ("httpd:2.4", ProxyKind.APACHE),
        ("nginxproxy/nginx-proxy", ProxyKind.NGINX),
        ("nginx.test/team/web:v1", ProxyKind.OTHER),
    ],
)
def test_a_proxy_is_known_by_its_image(image: str, kind: ProxyKind) -> None:
    assert kind_of(image) is kind


@pytest.mark.parametrize(
    ("kind", "config", "names"),
    [
        (ProxyKind.NGINX, NGINX, ("blog.test", "shop.test", "www.shop.test")),
        (ProxyKind.CADDY, CADDY, ("blog.test", "shop.test", "www.shop.test")),
        (ProxyKind.HAPROXY, HAPROXY, ("blog.test", "shop.test", "www.shop.test")),
        (ProxyKind.APACHE, APACHE, ("shop.test", "www.shop.test")),
        (ProxyKind.TRAEFIK, "", ("shop.test", "www.shop.test")),
        (ProxyKind.OTHER, NGINX, ()),
    ],
)
def test_the_names_that_it_answers_are_read(
    kind: ProxyKind, config: str, names: tuple[str, ...]
) -> None:
    assert names_of(kind, config, [TRAEFIK, {"other": "Host(`x.test`)"}]) == names


@pytest.mark.parametrize(
    ("kind", "config", "where", "old", "new"),
    [
        (
            ProxyKind.NGINX,
            NGINX,
            "in /etc/nginx/conf.d/shop.conf, line 5",
            "proxy_pass http://web:8000/;",
            "proxy_pass http://172.28.0.1:8080/;",
        ),
        (
            ProxyKind.CADDY,
            CADDY,
            "in /etc/caddy/Caddyfile, line 9",
            "reverse_proxy web:8000",
            "reverse_proxy 172.28.0.1:8080",
        ),
        (
            ProxyKind.HAPROXY,
            HAPROXY,
            "in /usr/local/etc/haproxy/haproxy.cfg, line 6",
            "server one web:8000 check inter 2s",
            "server one 172.28.0.1:8080 check inter 2s",
        ),
        (
            ProxyKind.APACHE,
            APACHE,
            "in /usr/local/apache2/conf/extra/shop.conf, line 3",
            "ProxyPass / http://web:8000/",
            "ProxyPass / http://172.28.0.1:8080/",
        ),
    ],
)
def test_the_line_that_leads_to_the_app_is_found_and_written_anew(
    kind: ProxyKind, config: str, where: str, old: str, new: str
) -> None:
    found = hint(kind, config)
    assert (found.where, found.old, found.new[0]) == (where, old, new)
    assert "front" in found.then


def test_an_upstream_block_of_nginx_is_changed_where_the_app_is_named() -> None:
    text = "upstream app {\n  server web:8000 max_fails=3;\n}\nproxy_pass http://app;\n"
    found = hint(ProxyKind.NGINX, text)
    assert (found.old, found.new[0]) == ("server web:8000 max_fails=3;", "server 172.28.0.1:8080;")


@pytest.mark.parametrize(
    ("block", "says_it"),
    [
        ("location / { proxy_pass http://web:8000; proxy_set_header host $host; }", False),
        ("location / { proxy_pass http://web:8000; proxy_set_header X-Real-IP $x; }", True),
        ("proxy_set_header Host $host; location / { proxy_pass http://web:8000; }", False),
        ("location / { proxy_pass http://web:8000; }", True),
    ],
)
def test_nginx_is_told_to_pass_the_host_once(block: str, says_it: bool) -> None:
    text = block.replace("; ", ";\n").replace("{ ", "{\n")
    lines = hint(ProxyKind.NGINX, text).new
    assert ("proxy_set_header Host $host;" in lines) is says_it


def test_over_tls_the_name_is_sent_and_an_authority_of_our_own_is_not_checked() -> None:
    assert hint(ProxyKind.NGINX, NGINX, SECURE).new == (
        "proxy_pass https://172.28.0.1:8443/;",
        "proxy_set_header Host $host;",
        "proxy_ssl_server_name on;",
        "proxy_ssl_name shop.test;",
    )
    assert "        tls_insecure_skip_verify" in hint(ProxyKind.CADDY, CADDY, SECURE).new
    haproxy = hint(ProxyKind.HAPROXY, HAPROXY, SECURE).new
    assert haproxy[0].endswith("check inter 2s ssl verify none sni str(shop.test)")
    assert "SSLProxyEngine On" in hint(ProxyKind.APACHE, APACHE, SECURE).new


def test_traefik_gets_a_file_because_labels_lead_to_containers_only() -> None:
    labels = "".join(f"{key}={value}\n" for key, value in TRAEFIK.items())
    found = hint(ProxyKind.TRAEFIK, labels)
    assert "file provider" in found.where
    router = next(line for line in found.new if "rule" in line)
    assert "Host(`shop.test`)" in router
    assert "tls: {certResolver: le}" in router
    assert any("http://172.28.0.1:8080" in line for line in found.new)


@pytest.mark.parametrize("kind", [kind for kind in ProxyKind if kind is not ProxyKind.OTHER])
def test_without_a_configuration_the_line_is_said_all_the_same(kind: ProxyKind) -> None:
    found = hint_for(kind, "", PLAIN, CALLEES, "")
    assert not found.old
    assert any("172.28.0.1:8080" in line for line in found.new)
    assert found.then.startswith("sudo systemctl reload")
