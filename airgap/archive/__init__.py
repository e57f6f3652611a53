"""Files and folders that hold images: docker archives, OCI archives and layouts, skopeo's dir."""
