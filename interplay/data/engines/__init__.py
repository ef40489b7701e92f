"""Speech engines called in process: each turns spoken words into sound with phone times."""
