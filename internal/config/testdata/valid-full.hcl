state_dir = "state"

callhome {
  enabled = true
  address = "127.0.0.1"
  port    = 0
  users   = ["fleet", "old", "tls"]
  trust   = "pinned"

  tls_port = 4335
  sessions = "shared"

  idle_close = "5m"
  drain_rate = 50

  reject_delay       = "0s"
  failure_ttl        = "0s"
  keepalive_interval = "10s"
  dead_after         = "1m"
  idle_rpc           = "0s"
  liveness           = "reply"

  max_handshakes            = 1
  max_handshakes_per_source = 2
  max_calls                 = 3
  max_held                  = 4

  source_bits_v4 = 24
  source_bits_v6 = 48
  exempt_sources = ["198.51.100.0/24"]
  allow          = ["192.0.2.0/24", "2001:db8::1"]
  deny           = ["192.0.2.66"]
  proxies        = ["::ffff:192.0.2.100"]
  device_secret  = env("SECRET")

  user_select {
    command     = ["keys/hook", "--fleet", ""]
    timeout     = "2s"
    on_error    = "continue"
    max_running = 3
  }

  listener "olts" {
    address       = "127.0.0.2"
    tls_port      = 4435
    users         = ["old"]
    trust         = "approve"
    allow         = ["0.0.0.0/0"]
    deny          = []
    proxies       = []
    device_secret = file("keys/secret")
  }

  listener "as-the-main-one" {
    port = 4334
  }

  listener "nobody" {
    port  = 4336
    users = []
  }
}

user "fleet" {
  username               = "netconf"
  password               = file("keys/password")
  private_key            = file("keys/plain")
  private_keys           = [file("keys/encrypted"), file("keys/rsa")]
  private_key_passphrase = file("keys/passphrase")
}

user "old" {
  username = env("OLD_USER")
  password = env("PASSWORD")
}

user "certified" {
  username    = "netconf"
  private_key = file("keys/plain")

  host_ca {
    keys        = [file("keys/authorized_keys"), "cert-authority ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc", "@cert-authority * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc a CA"]
    name_from   = "principal"
    name_domain = "Devices.example.net"
  }
}

user "tls" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
    ca          = "pki/ca.pem"
    crl         = ["pki/ca.crl"]
    name_from   = "san-dns-name"
    name_domain = "Devices.example.net"
  }
}

session "edge-1" {
  address   = "192.0.2.10"
  host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc edge-1", "ssh-rsa SHA256:CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
  user      = "old"
  port      = 20001
  transport = "ssh"
  sessions  = "exclusive"

  idle_close = "0s"

  hello {
    base         = ["1.0"]
    capabilities = ["urn:example:one"]
  }
}

session "edge-2" {
  address   = "2001:db8::/64"
  host_keys = [for c in ["A", "B"] : "SHA256:${c}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
}

session "edge-3" {
  transport        = "tls"
  certificates     = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"]
  certificate_keys = ["sha256 Fingerprint=60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]
  tls_port         = 21003
}

session "edge-4" {
  certificate_names = ["Edge-2.example", "192.0.2.7"]
  idle_close        = "90s"
}

session "edge-5" {
  host_principals = ["Edge-5.example", "192.0.2.5"]
  user            = "certified"
  listener        = "as-the-main-one"
}

session "edge-6" {
  device_id     = "edge 6"
  device_secret = env("SECRET")
}

session "edge-7" {
  address   = "192.0.2.107"
  device_id = "edge-7"
}

gateway {
  address   = "::"
  port      = env("PORT")
  tls_port  = 6513
  domain    = "gw.example.net"
  ports     = "20000-29999"
  host_keys = ["keys/rsa", "keys/plain"]
  wait      = "30s"

  hello_timeout = "1s"
  login_timeout = "2s"
  stall_timeout = "3s"
  drain_timeout = "0s"

  max_message  = "64KiB"
  spool_budget = 1048576
  max_logins   = 5
  max_sessions = 6

  source_bits_v4 = 16
  source_bits_v6 = 56
  exempt_sources = ["10.0.0.0/8"]
  allow          = ["10.0.0.0/8"]
  deny           = ["10.0.0.1"]
  proxies        = ["10.0.0.2"]
  user_ca        = [file("keys/plain.pub")]

  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/sec1.key"
    client_ca   = "pki/ca.pem"
    crl         = ["pki/ca.crl"]

    cert_to_name {
      fingerprint = "04:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
      map_type    = "specified"
      name        = "noc"
    }

    cert_to_name {
      fingerprint = "SHA256:60:30:3A:E2:2B:99:88:61:BC:E3:B2:8F:33:EE:C1:BE:75:8A:21:3C:86:C9:3C:07:6D:BE:9F:55:8C:11:C7:52"
      map_type    = "common-name"
    }
  }
}

manager "noc" {
  password_hash   = "$2a$12$WHxo9lB7op1.Cl01auWkJuQs4.96aWX1xlomMRO/P4kcZ0PoBF2nq"
  authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc noc", file("keys/authorized_keys")]
  devices         = ["edge-*", "core-?"]
}

manager "script" {
  principals        = ["noc", "robot"]
  certificate_names = ["CN of a script"]
  devices           = ["*"]
  access            = "read-only"
  operations        = ["get-config", "{urn:ietf:params:xml:ns:yang:ietf-netconf-nmda}get-data"]
}

audit {
  file       = "audit.log"
  redact     = ["psk", "größe"]
  on_failure = "stop"
}

log {
  level  = "debug"
  format = "json"
}
