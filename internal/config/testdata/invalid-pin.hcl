session "edge-1" {
  host_keys = [
    "SHA256:abc",
    "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
    "edge-1",
    "edge-1.example.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc",
    "ssh-dss SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY",
    "ssh-ed25519 SHA256:abc",
  ]
}

gateway {
  port = 830
}
