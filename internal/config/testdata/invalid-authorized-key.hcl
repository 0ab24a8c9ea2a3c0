manager "noc" {
  authorized_keys = [
    "keys/noc.pub",
    "from=\"192.0.2.1\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1D2XiBE6a/vrp4td/gkR9OA/AWgBCEVCugvQv+fUc",
    file("keys/certificate.pub"),
    "# nothing",
    "",
  ]
  devices = ["*"]
}

gateway {
  port = 830
}
