gateway {
  port     = 830
  tls_port = 6513
  domain   = "gw.example.net"

  tls {
    client_ca = "pki/ca.pem"
  }
}
