session "edge-1" {
  address = "192.0.2.10"
}

session "edge-2" {
  address   = "192.0.2.10/32"
  host_keys = ["SHA256:qrrXp8eDlsED05Gm6geRFeU2k/rLbr0EG7K8bEBfzEw"]
}

session "edge-3" {
  address   = "192.0.2.11"
  host_keys = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
}

session "edge-4" {
  address = "192.0.2.11"
}

gateway {
  port = 830
}

callhome {
  listener "olts" {
    port = 4434
  }

  listener "routers" {
    port = 4435
  }
}

session "olt" {
  address  = "192.0.2.20"
  listener = "olts"
}

session "router" {
  address  = "192.0.2.20"
  listener = "routers"
}

session "another-router" {
  address  = "192.0.2.20"
  listener = "routers"
}
