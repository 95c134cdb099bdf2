from .classification.predictor import ClassifierPredictor as ClassifierPredictor
from .classification.task import Classification as Classification
from .models.all_cnn import AllCNN as AllCNN
