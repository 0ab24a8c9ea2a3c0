session "edge-1" {
  host_keys = ["SHA256:qrrXp8eDlsED05Gm6geRFeU2k/rLbr0EG7K8bEBfzEw", "SHA256:y9HxqfX7WrVms8MA2+RVp7sL6oZbDigl6ERGweGy6rY"]
}

session "edge-2" {
  host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc"]
}

gateway {
  port = 830
}
