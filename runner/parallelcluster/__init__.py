"""A Slurm cluster on AWS: settings in, AWS ParallelCluster's configuration and profiles out."""
