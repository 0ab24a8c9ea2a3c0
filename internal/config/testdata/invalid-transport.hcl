user "fleet" {
  tls {
    certificate = "pki/gateway.pem"
    key         = "pki/gateway.key"
  }
}

user "old" {
  username = "netconf"
  password = env("PASSWORD")
}

session "edge-1" {
  transport = "tls"
  host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
}

session "edge-2" {
  transport    = "ssh"
  certificates = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"]
}

session "edge-3" {
  transport = "tls"
  address   = "192.0.2.3"
  user      = "old"
}

session "edge-4" {
  transport = "ssh"
  address   = "192.0.2.4"
  user      = "fleet"
}

session "edge-5" {
  transport = "dtls"
  address   = "192.0.2.5"
}

session "edge-6" {
  transport = "tls"
  address   = "192.0.2.6"
  sessions  = "own"
}

session "edge-7" {
  address  = "192.0.2.7"
  sessions = "mine"
}

session "edge-8" {
  certificates = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:01"]
  sessions     = "own"
}

session "edge-9" {
  host_keys    = ["SHA256:z9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
  certificates = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:02"]
  sessions     = "own"
}

session "edge-10" {
  address      = "192.0.2.10"
  certificates = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:03"]
  sessions     = "own"
}

gateway {
  port = 830
}
