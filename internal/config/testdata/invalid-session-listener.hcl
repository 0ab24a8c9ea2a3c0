user "fleet" {
  username = "netconf"
  password = env("PASSWORD")

  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
  }
}

callhome {
  users = ["fleet"]

  listener "olts" {
    port = 4434
  }

  listener "routers" {
    tls_port = 4435
  }
}

session "edge-1" {
  address  = "192.0.2.1"
  listener = "olt"
}

session "edge-2" {
  address   = "192.0.2.2"
  transport = "tls"
  listener  = "olts"
}

session "edge-3" {
  address   = "192.0.2.3"
  transport = "ssh"
  listener  = "routers"
}

session "edge-4" {
  address  = "192.0.2.4"
  listener = "backbone"
}

gateway {
  port = 830
}
