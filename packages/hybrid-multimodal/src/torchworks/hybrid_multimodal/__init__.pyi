from .models.gru4rec import GRU4Rec as GRU4Rec
from .models.lightgcn import LightGCN as LightGCN
from .models.matrix_factorization import MatrixFactorization as MatrixFactorization
from .models.multi_dae import MultiDAE as MultiDAE
from .models.neumf import NeuMF as NeuMF
from .models.sasrec import SASRec as SASRec
from .models.two_tower import TwoTower as TwoTower
from .recommendation.predictor import RecommendationPredictor as RecommendationPredictor
