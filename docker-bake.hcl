# Every image that this repository builds. `docker buildx bake --print [GROUP]` is the one list: the Makefile, the tests and
# the release read it. Each variable can be set in the environment; null leaves a Dockerfile's own default in force.

variable "REGISTRY" {
  default = "" # prefix of every name, its slash included
}
variable "ARTIFACTS" {
  default = "images/artifacts" # what `sm-ssh image fetch` filled
}
variable "AGENT_SOURCE" {
  default = null # official or stand-in; the build refuses artifacts that have another one
}
variable "AGENT_VERSION" {
  default = null
}
variable "VERSION" {
  default = null
}
variable "SOURCE" {
  default = null # address of the sources, for a label, as the next two
}
variable "REVISION" {
  default = null
}
variable "CREATED" {
  default = null # RFC 3339
}
variable "SOURCE_DATE_EPOCH" {
  default = null # seconds; with it the same inputs give the same layer
}
variable "PLATFORMS" {
  default = "" # linux/amd64,linux/arm64; empty: this machine's
}
variable "CA" {
  default = "" # file of certificates to trust, for a network whose proxy opens connections
}
variable "NETWORK" {
  default = null # host, where the engine's own network leads nowhere
}
variable "SBOM" {
  default = false # as the next one it needs a builder other than the engine's own: docker buildx create
}
variable "PROVENANCE" {
  default = false
}

# The base images. A machine that can pull none of them names its own; .ci/bases makes two.
variable "DEBIAN_12" {
  default = "debian:bookworm-slim"
}
variable "DEBIAN_13" {
  default = "debian:trixie-slim"
}
variable "UBUNTU_22_04" {
  default = "ubuntu:22.04"
}
variable "UBUNTU_24_04" {
  default = "ubuntu:24.04"
}
variable "AMAZONLINUX_2023" {
  default = "amazonlinux:2023"
}

function "base_image" {
  params = [os]
  result = {
    "debian-12"        = DEBIAN_12
    "debian-13"        = DEBIAN_13
    "ubuntu-22.04"     = UBUNTU_22_04
    "ubuntu-24.04"     = UBUNTU_24_04
    "amazonlinux-2023" = AMAZONLINUX_2023
  }[os]
}

function "suffix" {
  params = [variant]
  result = variant == "full" ? "" : "-${variant}"
}

function "target_name" {
  params = [os, variant]
  result = "${replace(os, ".", "-")}${suffix(variant)}"
}

target "_image" {
  platforms = PLATFORMS == "" ? [] : split(",", PLATFORMS)
  secret    = CA == "" ? [] : ["id=ca,src=${CA}"]
  network   = NETWORK
  attest = concat(
    SBOM ? ["type=sbom"] : [],
    PROVENANCE ? ["type=provenance,mode=max"] : [],
  )
}

target "_layer" {
  inherits = ["_image"]
  contexts = { artifacts = ARTIFACTS }
  args = {
    VERSION           = VERSION
    AGENT_SOURCE      = AGENT_SOURCE
    AGENT_VERSION     = AGENT_VERSION
    SOURCE            = SOURCE
    REVISION          = REVISION
    CREATED           = CREATED
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
}

# What this machine's tests run on.
group "default" {
  targets = ["debian-12", "debian-12-thin", "debian-13", "debian-13-thin", "children"]
}

group "test" {
  targets = ["default", "internet-free", "plain"]
}

group "validate" {
  targets = ["lint"]
}

group "release" {
  targets = ["released-base", "released-child"]
}

target "base" {
  name     = target_name(os, variant)
  matrix   = { os = ["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "amazonlinux-2023"], variant = ["full", "thin"] }
  inherits = ["_layer"]
  dockerfile = "Dockerfile.base"
  args     = { BASE_IMAGE = base_image(os), VARIANT = variant }
  tags     = ["${REGISTRY}sm-ssh-base:${os}${suffix(variant)}"]
}

# From artifacts alone: no step of it has a network.
target "internet-free" {
  name       = "internet-free-${target_name(os, "full")}"
  matrix     = { os = ["debian-12", "debian-13"] }
  inherits   = [target_name(os, "full")]
  dockerfile = "Dockerfile.internet_free"
  network    = "none"
  tags       = ["${REGISTRY}sm-ssh-base:${os}-internet-free"]
}

# Images on the layer: the bases of frameworks, and a container as users have it.
target "children" {
  name     = child
  matrix   = { child = ["training", "inference", "processing", "byoc"] }
  inherits = ["_image"]
  context  = "images/${child}"
  contexts = { sm-ssh-base = "target:debian-12" }
  args     = { BASE_IMAGE = "sm-ssh-base", BUILD_IMAGE = DEBIAN_12 }
  tags     = ["${REGISTRY}sm-ssh-${child}:debian-12"]
}

# The same without the layer: what tests of SSH that is off compare with.
target "plain" {
  name     = "plain-${child}"
  matrix   = { child = ["training", "inference", "byoc"] }
  inherits = [child]
  args     = { BASE_IMAGE = DEBIAN_12 }
  tags     = ["${REGISTRY}plain-${child}:debian-12"]
}

# What is published: the same, and never with the stand-in agent.
target "released-base" {
  name     = "released-${target_name(os, variant)}"
  matrix   = { os = ["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "amazonlinux-2023"], variant = ["full", "thin"] }
  inherits = [target_name(os, variant)]
  args     = { ALLOW_STAND_IN = "false" }
}

target "released-child" {
  name     = "released-${child}"
  matrix   = { child = ["training", "inference", "processing"] }
  inherits = [child]
  contexts = { sm-ssh-base = "target:released-debian-12" }
}

# A check is a build that keeps nothing.
target "lint" {
  name       = "lint-${tool}"
  matrix     = { tool = ["hadolint", "shellcheck"] }
  inherits   = ["_image"]
  dockerfile = "images/lint/Dockerfile"
  target     = tool
  args       = { BASE_IMAGE = DEBIAN_12 }
  platforms  = []
  attest     = []
  output     = ["type=cacheonly"]
}
