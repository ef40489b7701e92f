"""Operations whose rows do not depend on each other: linear, attention, experts, sampling."""
