user "text" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/text"
  }
}

user "leaf" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/leaf.pem"
  }
}

user "version-1" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/version1.pem"
  }
}

user "crl-alone" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    crl = ["pki/ca.crl"]
  }
}

user "twin" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/ca.pem"
    crl = ["pki/twin.crl"]
  }
}

user "broken" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/ca.pem"
    crl = ["pki/ca.crl", "pki/broken.crl", "pki/text", "pki/ca.pem", "pki/missing"]
  }
}


gateway {
  port = 830
}
