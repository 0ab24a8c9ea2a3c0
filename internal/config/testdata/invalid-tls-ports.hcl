user "fleet" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
    ca          = "pki/ca.pem"
  }
}

callhome {
  port     = 4444
  tls_port = 4444
}

session "edge-1" {
  address  = "192.0.2.1"
  port     = 20001
  tls_port = 20001
}

session "edge-2" {
  address  = "192.0.2.2"
  tls_port = 6513
}

session "edge-3" {
  address  = "192.0.2.3"
  tls_port = 80
}

gateway {
  address  = "0.0.0.0"
  port     = 830
  tls_port = 6513
  domain   = "gw.example.net"
  ports    = "6000-7000"

  tls {
    cert_to_name {
      fingerprint = "SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
      map_type    = "common-name"
    }

    acme {
      domains        = ["edge-1.gw.example.net"]
      agree_to_terms = true
    }
  }
}
