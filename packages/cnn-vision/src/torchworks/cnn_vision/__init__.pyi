from .models import create_model as create_model
from .models import list_models as list_models
