session "edge-1" {
  certificates = ["SHA256:9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08", "SHA256:9F:86", "9F:86", "SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY", "da39a3ee5e6b4b0d3255bfef95601890afd80709"]
}

session "edge-2" {
  certificate_keys = ["x"]
  certificates     = ["SHA256:9f:86:d0:81:88:4c:7d:65:9a:2f:ea:a0:c5:5a:d0:15:a3:bf:4f:1b:2b:0b:82:2c:d1:5d:6c:15:b0:f0:0a:08"]
}

session "edge-3" {
  certificates = []
}

gateway {
  port = 830
}
