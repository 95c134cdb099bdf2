from .classification.predictor import ClassifierPredictor as ClassifierPredictor
from .classification.task import Classification as Classification
from .models.text_cnn import TextCNN as TextCNN
