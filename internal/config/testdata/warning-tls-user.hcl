callhome {
  enabled  = true
  port     = 4334
  users    = ["one", "two"]
}

user "one" {
  tls {
    certificate = "pki/expired.pem"
    key = "pki/expired.key"
    ca = "pki/ca.pem"
    crl = ["pki/stale.crl", "pki/foreign.crl"]
  }
}

user "two" {
  tls {
    certificate = "pki/future.pem"
    key = "pki/future.key"
    name_domain = "example.net"
  }
}

user "three" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/exposed.key"
  }
}


gateway {
  port = 830
}
