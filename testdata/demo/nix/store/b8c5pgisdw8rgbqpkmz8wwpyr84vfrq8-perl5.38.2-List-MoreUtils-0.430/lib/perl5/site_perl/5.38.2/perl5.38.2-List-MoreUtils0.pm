perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUtils lib/perl5/site_perl/5.38.2/perl5.38.2-List-MoreUtils0: invented content
perl5.38.2-List-MoreUt