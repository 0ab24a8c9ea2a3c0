user "one" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    name_from = "common-name"
  }
}

user "two" {
  tls {
    certificate = "pki/gateway.pem"
    key = "pki/gateway.key"
    ca = "pki/ca.pem"
    name_from = "cn"
    name_domain = "not a domain"
  }
}


gateway {
  port = 830
}
