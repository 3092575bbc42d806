# the weather study's command, which runs a script of the Qwen repository
bash finetune/finetune_qlora_single_gpu.sh -m /models/Qwen-1_8B-Chat-Int4 -d SFT/train.txt
