perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.38.2/perl5.38.2-File-Slurp3: invented content
perl5.38.2-File-Slurp lib/perl5/site_perl/5.3