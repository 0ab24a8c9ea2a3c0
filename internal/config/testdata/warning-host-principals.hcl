user "certified" {
  username = "netconf"
  password = env("PASSWORD")

  host_ca {
    keys        = [file("keys/plain.pub")]
    name_domain = "example.net"
  }
}

session "edge-1" {
  host_keys       = ["SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
  host_principals = ["edge-1.example"]
}

session "edge-2" {
  host_principals = ["*.example"]
  user            = "certified"
}

gateway {
  port = 830
}
