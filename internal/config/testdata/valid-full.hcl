state_dir = "state"

callhome {
  enabled = true
  address = "127.0.0.1"
  port    = 0
  users   = ["fleet", "old"]
  trust   = "pinned"

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

session "edge-1" {
  address   = "192.0.2.10"
  host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc edge-1"]
  user      = "old"
  port      = 20001
  transport = "ssh"

  hello {
    base         = ["1.0"]
    capabilities = ["urn:example:one"]
  }
}

session "edge-2" {
  address   = "2001:db8::/64"
  host_keys = [for c in ["A", "B"] : "SHA256:${c}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
}

gateway {
  address   = "::"
  port      = env("PORT")
  ports     = "20000-29999"
  host_keys = ["keys/rsa", "keys/plain"]
  wait      = "30s"

  hello_timeout = "1s"
  login_timeout = "2s"
  stall_timeout = "3s"

  max_message  = "64KiB"
  spool_budget = 1048576
  max_logins   = 5
  max_sessions = 6
}

manager "noc" {
  password_hash   = "$2a$12$WHxo9lB7op1.Cl01auWkJuQs4.96aWX1xlomMRO/P4kcZ0PoBF2nq"
  authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc noc", file("keys/authorized_keys")]
  devices         = ["edge-*", "core-?"]
}

log {
  level  = "debug"
  format = "json"
}
