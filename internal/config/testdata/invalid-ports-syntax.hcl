gateway {
  ports = "20000"
}
