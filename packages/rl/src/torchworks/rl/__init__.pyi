from .algorithms.returns import advantages as advantages
from .models.actor_critic import ActorCritic as ActorCritic
from .policies.task import PolicyTask as PolicyTask
