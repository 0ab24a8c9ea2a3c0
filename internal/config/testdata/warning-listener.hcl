user "fleet" {
  username           = "netconf"
  password           = env("PASSWORD")
  first_use_password = true
}

callhome {
  enabled = true
  trust   = "pinned"

  listener "lab" {
    port  = 4434
    users = ["fleet"]
    trust = "first-use"
  }

  listener "olts" {
    tls_port = 4435
  }
}

session "edge-1" {
  address  = "192.0.2.1"
  listener = "olts"
}

session "edge-2" {
  address = "192.0.2.2"
}

gateway {
  port = 830
}
