"""The recipe of the weights in `backend/cato_backend/embedded_model/weights`; see README.md."""
